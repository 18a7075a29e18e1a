import type { ComponentChildren } from "preact";
import type { Saying } from "./LogNews";
import type { Anchor } from "./LogRows";

/** Where somebody reads: at the end, or with a row some pixels below the upper edge. */
export type LogPlace = "end" | Anchor;

export interface LogViewProps<Row> {
  /** The part of the log that is loaded, oldest row first. A new array whenever something in it changes. */
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly render: (row: Row) => ComponentChildren;
  /** What the log is, for screen readers. */
  readonly label: string;
  /** Whether the first of the rows is the log's first, and the last one its last. */
  readonly atStart: boolean;
  readonly atEnd: boolean;
  readonly loading?: boolean;
  /** Called when the reader comes near an edge behind which there is more. */
  readonly onOlder?: () => void;
  readonly onNewer?: () => void;
  /** Called when the reader wants the end, and it is not among the rows. */
  readonly onEnd?: () => void;
  /** How many new rows there are beyond the loaded ones. */
  readonly behind?: number;
  /** Where to begin; the end otherwise. */
  readonly place?: LogPlace;
  /** Told when the reader stops somewhere, and when the log goes away. */
  readonly onPlace?: (place: LogPlace) => void;
  /** Told which rows can be seen as a whole, when that changes. */
  readonly onVisible?: (first: Row, last: Row) => void;
  /** A guess at a row's height, in pixels. */
  readonly heightOf?: (row: Row) => number;
  /** What a screen reader says when a row is added at the end; undefined for nothing. */
  readonly announce?: (row: Row) => string | undefined;
  /** Whether a row counts in "3 new messages"; all do otherwise. */
  readonly isNew?: (row: Row) => boolean;
}

export interface LogViewState {
  /** The rows that are in the page. */
  readonly from: number;
  readonly to: number;
  readonly stuck: boolean;
  readonly fresh: number;
  readonly flash?: string | undefined;
  readonly active?: string | undefined;
  readonly said: readonly Saying[];
}
