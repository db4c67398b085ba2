// Package switches decides who sees a feature: switch and subject to variant, as a pure function over an immutable
// snapshot. Nothing here waits, locks, allocates while it decides, or touches a disk, network or clock.
//
// What people edit is a Switch; Compile turns all switches of an environment into a Snapshot; a Holder keeps the one that
// this process answers from and counts its answers. How switches are kept and reach other processes is none of this
// package's business (see app/rollout).
package switches
