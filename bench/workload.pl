# The launched program of the benchmark: it writes one line a millisecond, "epoch time name pid",
# for as long as it runs. The time is CLOCK_MONOTONIC in nanoseconds, the same for all processes
# of the machine, so that lines of two daemons can be put in order.
#
# Perl because it starts in one millisecond (Node takes forty, which would swamp what is measured)
# and because Debian's perl-base is on every machine. perl-base has no Time::HiRes, so the clock is
# asked with a system call; its number, which differs between machines, comes from the benchmark,
# since asking Perl's own Config takes two milliseconds.
use strict;

my ( $epoch, $name, $clock_gettime ) = @ENV{qw(ARBITER_EPOCH ARBITER_NAME BENCH_CLOCK_GETTIME)};
open my $log, '>>', $ENV{BENCH_LOG} or die "workload.pl: $ENV{BENCH_LOG}: $!\n";

while (1) {
    my $timespec = "\0" x 16;
    syscall( $clock_gettime + 0, 1, $timespec );
    my ( $seconds, $nanoseconds ) = unpack 'qq', $timespec;
    # One write of one short line at the end of the file: lines of two processes never mix.
    syswrite $log, sprintf( "%d %d%09d %s %d\n", $epoch, $seconds, $nanoseconds, $name, $$ );
    select undef, undef, undef, 0.001;
}
