/** The files of one commit, below the configured sub-path. Paths are relative to it. */
export interface Snapshot {
  /** Full commit id. */
  readonly revision: string;
  readonly files: readonly SnapshotFile[];
  /** Paths that are there but hold no text of their own: links and submodules, never followed. */
  readonly unread?: readonly string[];
}

export interface SnapshotFile {
  readonly path: string;
  /** Decoded as UTF-8; bytes that are not UTF-8 become U+FFFD. */
  readonly text: string;
}
