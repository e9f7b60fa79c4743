# A switch between hosts whose links take their time: the kernel of many a test machine has no netem.
#
# Each argument is the name of a TAP device, which it makes; what comes in at one goes out at all others,
# as late as the file SWITCH_LINKS says: "delay jitter doubled": milliseconds, milliseconds more by
# chance (so frames overtake each other), and how many of a hundred frames come twice. The file is read
# again every now and then. The clock is CLOCK_MONOTONIC, asked as in bench/workload.pl.
use strict;
use warnings;

use constant { TUNSETIFF => 0x400454ca, IFF_TAP_NO_PI => 0x1002, READ_EVERY => 0.02 };

my @ports;
for my $name (@ARGV) {
    open my $port, '+<', '/dev/net/tun' or die "hosts-switch.pl: /dev/net/tun: $!\n";
    ioctl $port, TUNSETIFF, pack( 'a16 s x22', $name, IFF_TAP_NO_PI ) or die "hosts-switch.pl: $name: $!\n";
    push @ports, $port;
}

sub now {
    my $timespec = "\0" x 16;
    syscall( $ENV{BENCH_CLOCK_GETTIME} + 0, 1, $timespec );
    my ( $seconds, $nanoseconds ) = unpack 'qq', $timespec;
    return $seconds + $nanoseconds / 1e9;
}

my ( $delay, $jitter, $doubled ) = ( 0, 0, 0 );
my $read_at = 0;

sub look {
    return if now() < $read_at;
    $read_at = now() + READ_EVERY;
    open my $file, '<', $ENV{SWITCH_LINKS} or return;
    my @read = split ' ', <$file> // '';
    ( $delay, $jitter, $doubled ) = @read if @read == 3;
}

my @waiting;
while (1) {
    look();
    my $wait = READ_EVERY;
    for my $frame (@waiting) {
        my $left = $frame->[0] - now();
        $wait = $left if $left < $wait;
    }
    my $readable = '';
    vec( $readable, fileno $_, 1 ) = 1 for @ports;
    select $readable, undef, undef, $wait > 0 ? $wait : 0;
    for my $from (@ports) {
        next unless vec $readable, fileno $from, 1;
        sysread $from, my $bytes, 65536 or next;
        for my $to ( grep { $_ != $from } @ports ) {
            for ( 0 .. ( ( rand 100 ) < $doubled ? 1 : 0 ) ) {
                push @waiting, [ now() + ( $delay + rand $jitter ) / 1000, $to, $bytes ];
            }
        }
    }
    my $now = now();
    my @due = sort { $a->[0] <=> $b->[0] } grep { $_->[0] <= $now } @waiting;
    @waiting = grep { $_->[0] > $now } @waiting;
    # A device whose host is just being made takes nothing yet.
    syswrite $_->[1], $_->[2] for @due;
}
