import { messagePath } from "../app/paths";
import type { NoteEntry } from "../sync/api";
import { isolated } from "../text/characters";
import { formatMoment, formatTime, words } from "../words";
import { useName } from "./names";
import "./NoteLine.css";

const notes = words.talk.notes;

/** Something that happened in the room, in one line. */
export function NoteLine({ entry, id }: { readonly entry: NoteEntry; readonly id: string }) {
  const who = useName(entry.userId);
  const whom = useName(entry.target ?? entry.userId);
  const said = sentence(entry, isolated(who), isolated(whom));
  return (
    <p class="note-line" data-key={id} data-seq={entry.seq}>
      {entry.messageSeq !== undefined ? (
        <a class="note-line__link" href={messagePath(entry.roomId, entry.messageSeq)}>
          {said}
        </a>
      ) : (
        said
      )}{" "}
      <time
        class="note-line__time"
        dateTime={new Date(entry.time).toISOString()}
        title={formatMoment(entry.time)}
      >
        {formatTime(entry.time)}
      </time>
    </p>
  );
}

function sentence({ what, text: given = "" }: NoteEntry, who: string, whom: string): string {
  // It stands within a sentence, which it must not turn.
  const text = given && isolated(given);
  switch (what) {
    case "renamed":
    case "topic":
      return notes[what](who, text);
    case "role":
      return notes.role(who, whom, notes.roles[text] ?? text);
    case "added":
    case "invited":
      return notes[what](who, whom);
    case "removed":
    case "banned":
    case "unbanned":
      return text ? notes.reason(notes[what](who, whom), text) : notes[what](who, whom);
    default:
      return notes[what](who);
  }
}
