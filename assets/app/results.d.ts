// The shapes of what the server answers about whole sets: comparisons, figures, exports, overrides.

/** One side of a changed image: its best patch, and the boxes of all its patches. */
interface Side extends Patch {
  boxes: Box[];
}
/** An image under settings A and B. */
interface ChangeRow {
  id: string;
  size: Size;
  overlap: number;
  a: Side | null;
  b: Side | null;
}
interface ChangeListing {
  cluster_a: number;
  cluster_b: number;
  keeping: string;
  backwards: boolean;
  page: number;
}
/** The response of "compare". */
interface CompareResult {
  a: SelectSettings;
  figures: Record<string, number>;
  moves: number[][];
  rows: ChangeRow[];
  page: number;
  pages: number;
  total: number;
  chosen: ChangeRow | null;
}

/** The figures of a distilled set, of one class or of all. */
interface Figures {
  images: number;
  short: number;
  clusters: number;
  clusters_covered: number;
  coverage_distance: number | null;
  near_duplicates: number;
  repeated_tiles: number;
}
interface ClassFigures extends Figures {
  name: string;
  pairs: Patch[][];
}

/** The response of "export_summary". */
interface ExportSummary {
  images: number;
  classes: { name: string; images: number; images_bytes: number }[];
  files: number;
  image_px: number;
  images_bytes: number;
  zip_bytes: number;
  sampled: number;
  short: { name: string; images: number }[];
  pixels: string;
  source_problem: "" | "missing" | "changed" | "unreadable";
  source_message: string;
}

/** A manual override as "overrides" lists it. */
interface Override {
  kind: "pin" | "ban" | "move";
  image_id: string;
  class_name: string;
  problem: string;
}

/** The best box of an image on some of its noise; `at` is a timestep, or a number of draws. */
interface SettlingStep {
  at: number;
  best: {
    box: BoxRecord;
    runner_up: BoxRecord | null;
    score: number | null;
    standard_error: number | null;
    lead: number | null;
    lead_error: number | null;
    chance: number | null;
  };
}
/** The response of "settled"; `draws` is empty where the run stores only the means over them. */
interface SettlingResult {
  alone: SettlingStep[];
  cumulative: SettlingStep[];
  draws: SettlingStep[];
}
