# The launched program of the benchmark: it writes one line a millisecond, "epoch time name pid",
# for as long as it runs. The time is CLOCK_MONOTONIC in nanoseconds, the same for all processes
# of the machine, so that lines of two daemons can be put in order.
#
# Perl because it starts in about two milliseconds (Node takes forty, which would swamp what is
# measured) and because Debian's perl-base is on every machine. perl-base has no Time::HiRes, so the
# clock is asked with a system call.
use strict;
use Config;

my %clock_gettime = ( x86_64 => 228, aarch64 => 113 );
my ($machine) = $Config{archname} =~ /^([^-]+)/;
my $call = $clock_gettime{$machine} // die "workload.pl: no number of clock_gettime known for $machine\n";
my ( $epoch, $name ) = @ENV{qw(ARBITER_EPOCH ARBITER_NAME)};
open my $log, '>>', $ENV{BENCH_LOG} or die "workload.pl: $ENV{BENCH_LOG}: $!\n";

while (1) {
    my $timespec = "\0" x 16;
    syscall( $call, 1, $timespec );
    my ( $seconds, $nanoseconds ) = unpack 'qq', $timespec;
    # One write of one short line at the end of the file: lines of two processes never mix.
    syswrite $log, sprintf( "%d %d%09d %s %d\n", $epoch, $seconds, $nanoseconds, $name, $$ );
    select undef, undef, undef, 0.001;
}
