/**
 * Terms and epochs that daemons report count (a store may have lost its past), but only as far as
 * such a past can reach. A daemon that has gone mad, or was made to lie, could otherwise name the
 * largest number that there is: the next one up can't be counted, let alone stored, and one machine
 * would have stopped the cluster. Beyond the reach it harms itself alone: it refuses what is lower.
 */

/** Four moves a second for thirty years. */
const REACH = 2 ** 32;

/** The higher of the two, as long as the reported one can be true. */
export function raisedBy(own: number, reported: number): number {
  return reported > own && reported - own <= REACH ? reported : own;
}
