// Types that several modules of the page share: the wire to Python, the store and the app.

/** A box in proxy pixels: corner, width, height. */
type Box = [x: number, y: number, width: number, height: number];
type Size = [width: number, height: number];
interface BoxRecord {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * The one model of a patch. `cut`: what is exported around it. `kept`: the distilled images that it is part of, counted
 * from 0. `dropped`: no IPC keeps it.
 */
interface Patch {
  id: string;
  box: Box;
  cut: Box;
  size: Size;
  score: number | null;
  standard_error: number | null;
  picture_score: number | null;
  picture_standard_error: number | null;
  margin: number | null;
  cluster: number;
  rank: number;
  nth: number;
  kept: number[];
  dropped: boolean;
  pinned: boolean;
  moved: boolean;
}

/** A patch with its box in the source image. */
interface ExplainedPatch extends Patch {
  source_box: BoxRecord;
}
/** One of the best boxes of an image. */
interface Contender {
  box: BoxRecord;
  mean: number;
  margin: number | null;
  standard_error: number | null;
}
/** The score of a box at one timestep. */
interface Moment {
  timestep: number;
  share: number | null;
  rank: number;
  counts: boolean;
  standard_error: number | null;
}
interface Placement {
  cluster: number;
  clusters: number;
  rank_in_cluster: number;
  cluster_size: number;
  rank: number;
  patches: number;
  images: number[];
  dropped: boolean;
}
interface Explanation {
  image_id: string;
  patch: ExplainedPatch | null;
  candidates: number;
  best: Contender[];
  lead_error: number | null;
  is_tie: boolean;
  mean: number | null;
  place: number;
  curve: Moment[];
  placement: Placement | null;
  order: string[];
  sentence: string;
}
interface Frame {
  source_width: number;
  source_height: number;
  proxy_width: number;
  proxy_height: number;
}
/** The response of "image". */
interface ImageResult {
  image_id: string;
  frame: Frame;
  explanation: Explanation;
  boxes: BoxRecord[];
  maps: Record<"conditional" | "unconditional" | "gap" | "difference" | "combined", Packed>;
  strip: Packed;
  around: { before: string; after: string };
  /** Of an image that was not asked for by its id, WebP in base64; else "". */
  proxy: string;
}
/** The response of "values": one cell at each counted timestep. */
interface CellValues {
  row: number;
  column: number;
  timesteps: number[];
  values: Record<string, number>[];
  mean: Record<string, number>;
}

/** An array as Python packs it: little-endian bytes in base64. */
interface Packed {
  type: string;
  shape: number[];
  data: string;
}
interface Unpacked {
  values: ArrayLike<number> & Iterable<number> & { subarray(start: number, end: number): any };
  shape: number[];
}

/** The range of a colour scale. */
interface ScaleRange {
  low: number;
  high: number;
}

/** How a setting is shown. */
interface Widget {
  name: string;
  label: string;
  unit: string;
  help: string;
  default: any;
  shown: any;
  choices: Choice[];
  low: number | null;
  high: number | null;
  step: number | null;
}
interface Choice {
  value: any;
  label: string;
  hint?: string;
}
interface FormField extends Widget {
  kind: "bool" | "whole" | "number" | "text" | "choice";
  several: boolean;
  optional: boolean;
  names_result: boolean;
  placeholder: string;
}

interface SelectSettings {
  timesteps: number[];
  patch_px: number;
  clusters: number;
  ipc: number;
  gap: string;
  locate: string;
  smooth: number;
  factor: number;
  per_image: number;
  pins: string[];
  bans: string[];
  moves: string[];
  [name: string]: any;
}
interface ExportSettings {
  format: string[];
  image_px: number;
  file_format: string;
  quality: number;
  pixels: string;
  [name: string]: any;
}
interface ViewSettings {
  select: SelectSettings;
  export: ExportSettings;
  [name: string]: any;
}
interface View extends ViewSettings {
  run: string;
  class_name: string;
  image_id: string;
  tab: string;
  a: string;
  find: string;
  /** The name of the slice that is selected. */
  slice: string;
  /** The selected images, if they are few and no slice. */
  ids: string[];
}
type Change = Set<string>;

interface Store {
  readonly state: View;
  readonly defaults: ViewSettings;
  subscribe(listener: (change: Change, isCorrection: boolean) => void): () => void;
  go(position: Partial<View>, isCorrection?: boolean): void;
  select(values: Partial<SelectSettings>, key?: string, position?: Partial<View>): void;
  exporting(values: Partial<ExportSettings>): void;
  undo(): boolean;
  redo(): boolean;
  canUndo(): boolean;
  canRedo(): boolean;
  open(view: Partial<View>, isCorrection?: boolean): void;
  query(view?: ViewSettings): string;
}

/**
 * How well the prior tells images of a class from those of others; `pairs` of two images. `auc` and `standard_error`
 * are null where they are unknown.
 */
interface Measured {
  images: number;
  pairs: number;
  auc: number | null;
  standard_error: number | null;
  near_chance: boolean;
}
interface ClassSummary {
  name: string;
  scored: number;
  skipped: number;
  knowledge: Measured | null;
}
interface Start {
  version: string;
  run: {
    dataset: string;
    prior: string;
    scored: number;
    timesteps: number[];
    null_prompt: string;
    resolution_px: number;
    knowledge: Measured | null;
    knowledge_reason: "" | "one_class" | "too_few";
    [name: string]: any;
  };
  classes: ClassSummary[];
  widgets: { select: Widget[]; export: Widget[] };
  colours: Record<string, Record<TableKind, Packed>>;
  view: View;
  notes: string[];
  defaults: ViewSettings;
  presets: Record<string, Partial<SelectSettings>>;
}

type Ask = (method: string, params?: Record<string, any>, place?: { run?: string; view?: string }) => Promise<any>;
/** Run the newest of the requests of one queue; the others resolve to undefined. */
type Latest = <T>(queue: string, request: () => Promise<T>) => Promise<T | undefined>;

interface Report {
  token: string;
  kind: "score" | "export" | "push" | "report" | "evaluate" | "advise";
  title: string;
  state: "waiting" | "running" | "done" | "failed" | "cancelled" | "interrupted";
  stage: string;
  done: number;
  total: number;
  unit: string;
  per_second: number | null;
  left_s: number | null;
  place: number;
  stopping: boolean;
  resumable: boolean;
  started: number | null;
  finished: number;
  error: string;
  /** What was used up if that is the error, such as gpu. */
  quota: string;
  notices: string[];
  skipped: number;
  skips: { id: string; reason: string }[];
  figures: Record<string, any>;
  download: { path: string; name: string; bytes: number } | null;
  bytes: number;
  /** What the workers of a score job do now. */
  workers: { device: string; stage: string; shard: number; done: number; total: number; rate: number }[];
  /** The shards of a score job that failed as often as allowed. */
  failed: { shard: number; round: number; tries: number; reason: string }[];
  /** Whether this visitor may rename and delete it. */
  mine: boolean;
}
interface Job {
  kind: "score" | "export" | "report" | "evaluate" | "advise";
  token: string;
  report: Report;
  settings?: string;
  /** Whether an export is of selected images, and not of the settings' set. */
  chosen?: boolean;
  work?: { students: number; steps: number; student: string };
}
interface Jobs {
  of(kind: string): Job[];
  tokens(kind: string): string[];
  isLost(): boolean;
  subscribe(listener: () => void): () => void;
  poll(): Promise<void>;
  add(kind: string, token: string, more?: Record<string, any>, eager?: boolean): Promise<void>;
  forget(token: string): void;
  cancel(token: string): Promise<void>;
  resume(token: string): Promise<void>;
  rename(token: string, title: string): Promise<void>;
  remove(token: string): Promise<void>;
}

/** Colours around 0, from 0 up, and for losses. */
type TableKind = "signed" | "positive" | "unsigned";

interface Colors {
  readonly palette: string;
  choose(name: string): void;
  table(kind: TableKind, name?: string): ArrayLike<number>;
  draw(
    canvas: HTMLCanvasElement,
    map: Unpacked,
    range: ScaleRange,
    alpha?: ((share: number) => number) | null,
    kind?: TableKind,
  ): void;
  legend(range: ScaleRange, label: string, write?: (value: number) => string, kind?: TableKind): HTMLElement;
  gradient(kind: TableKind): string;
  stops(kind: TableKind): [share: number, color: string][];
}

/** What every part of the page gets. */
interface App {
  root: HTMLElement;
  store: Store;
  ask: Ask;
  latest: Latest;
  files: Record<string, string>;
  base: string;
  start: Start;
  toasts: HTMLElement;
  images: {
    url(kind: "thumbnail" | "proxy", run: string, className: string, id: string): Promise<string>;
    put(kind: "thumbnail" | "proxy", run: string, className: string, id: string, file: string): void;
  };
  colors: Colors;
  keys: Map<string, (event: KeyboardEvent) => void>;
  jobs: Jobs;
  /** The images that are selected to act on together. */
  selection: import("./lib/selection.js").Selection;
  class(): ClassSummary;
  toast(text: string, kind?: "note" | "error" | "lasting"): HTMLElement;
  dialog(title: string, ...children: any[]): HTMLDialogElement;
  attempt<T>(work: () => T | Promise<T>): Promise<T | undefined>;
  copy(text: string, what: string): Promise<void>;
  link(): string;
  openRun(token: string, view?: Record<string, string>): Promise<void>;
  help?(): void;
}

/** What a tab module exports as `tab`. */
interface Tab {
  mount(root: HTMLElement, app: App): MountedTab;
}
interface MountedTab {
  show?(change: Change): unknown;
  hide?(): void;
}

interface Window {
  gradio_config?: { css?: string };
  Plotly: any;
}
