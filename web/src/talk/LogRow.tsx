import type { Signal } from "@preact/signals";
import { Component, type VNode } from "preact";
import { words } from "../words";
import { GapLine } from "./GapLine";
import "./LogRow.css";
import { MessageRow } from "./MessageRow";
import { NoteLine } from "./NoteLine";
import { PendingRow } from "./PendingRow";
import type { Row } from "./rows";

interface LogRowProps {
  readonly row: Exclude<Row, { kind: "day" }>;
  /** The message that Tab leads to. */
  readonly current: Signal<string | undefined>;
}

/**
 * One of the rows, drawn anew only if something in it has changed.
 *
 * Its element is made each time: one that is kept and used again holds on to the list that it was in first, with all rows
 * that were in that one.
 */
export class LogRow extends Component<LogRowProps> {
  override shouldComponentUpdate({ row }: LogRowProps): boolean {
    return !same(row, this.props.row);
  }

  render({ row, current }: LogRowProps): VNode {
    if (row.kind === "new")
      return (
        <div class="log-row__new">
          <span>{words.talk.log.newSince}</span>
        </div>
      );
    if (row.kind === "note") return <NoteLine id={row.key} entry={row.entry} />;
    if (row.kind === "gap") return <GapLine since={row.since} until={row.until} />;
    if (row.entry.kind === "pending") return <PendingRow id={row.key} entry={row.entry} first={row.first} />;
    return <MessageRow id={row.key} entry={row.entry} first={row.first} current={current} />;
  }
}

function same(one: Row, other: Row): boolean {
  if (one.kind !== other.kind || one.key !== other.key) return false;
  if ("entry" in one && "entry" in other && one.entry !== other.entry) return false;
  if (one.kind === "gap" && other.kind === "gap")
    return one.since === other.since && one.until === other.until;
  return !("first" in one && "first" in other && one.first !== other.first);
}
