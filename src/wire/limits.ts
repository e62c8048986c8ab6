const KiB = 1024
const MiB = 1024 * KiB

/** Every ceiling on bytes that come from outside, in one place. */
export const limits = {
  /** One command API message (either way). */
  messageBytes: 1 * MiB,
  /** One frame of a blob transfer (libp2p-and-style.md A5). */
  blobChunkBytes: 256 * KiB,
  /** Raw data of one job after JSON encoding. */
  rawDataBytes: 16 * MiB,
  /** One log of one task as it leaves the guest. */
  logBytes: 256 * KiB,
  /** Everything a guest may send. */
  guestOutputBytes: 64 * MiB,
  /** Above this a guest hands its results over on the output disk: the serial line is the slower way. */
  guestSerialBytes: 16 * MiB,
  /** The job disk as the guest sees it: a sparse file, written late, so its size is the same for every job. */
  jobDiskBytes: 4096 * MiB,
  /** Raw data API, host to guest: UML's serial line stalls above 4 KB (sandbox.md section 3). */
  hostFrameBytes: 2048,
  /** Raw data API, guest to host. */
  guestFrameBytes: 64 * KiB,
  /** A distribution under test or a dependency. */
  distributionBytes: 1024 * MiB,
  /** What an archive may unpack to, read as a stream on the host. */
  unpackedBytes: 2048 * MiB,
  archiveMembers: 100_000,
  /** A metadata file read out of an archive (METADATA, pyproject.toml, ...). */
  metadataBytes: 4 * MiB,
  /** An index page. */
  indexPageBytes: 128 * MiB,
  envelopeBytes: 24 * MiB,
  bundleBytes: 512 * MiB,
} as const
