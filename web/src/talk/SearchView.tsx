import { useComputed } from "@preact/signals";
import { useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useCalls } from "../app/context";
import { roomPath } from "../app/paths";
import { Button } from "../ui/Button";
import { Checkbox, Field, Select } from "../ui/Field";
import { navigate, path, query } from "../ui/location";
import { SearchOrder } from "../wire/chat_pb";
import { words } from "../words";
import { FoundCard } from "./FoundCard";
import { foundMessage } from "./found";
import { ListPage, Paged } from "./ListPage";
import { roomName } from "./names";
import "./SearchView.css";
import { searchTerms } from "./searchTerms";
import { usePages } from "./usePages";

const text = words.talk.search;

interface SearchViewProps {
  readonly params: Readonly<Record<string, string>>;
}

/** Looks for messages, in all rooms or beside one. What is looked for is in the address, so that one can come back. */
export function SearchView({ params }: SearchViewProps) {
  const calls = useCalls();
  const inRoom = params.roomId;
  const asked = query.value;

  const wanted = {
    ...searchTerms(asked.get("q") ?? ""),
    roomId: inRoom ?? asked.get("room") ?? "",
    senderUserId: asked.get("from") ?? "",
    hasFile: asked.get("files") === "1",
    mentionsMe: asked.get("me") === "1",
    fromStamp: stampOf(asked.get("since")),
    beforeStamp: stampOf(asked.get("until"), 1),
    order: asked.get("order") === "best" ? SearchOrder.BEST : SearchOrder.NEWEST,
  };
  const looks = wanted.terms.length > 0 || wanted.senderUserId !== "" || wanted.hasFile || wanted.mentionsMe;
  const hits = usePages(
    looks
      ? async (pageToken) => {
          const page = await calls.messages.searchMessages({ ...wanted, pageSize: 30, pageToken });
          const items = page.hits.flatMap(({ event, highlights }) => {
            const message = foundMessage(event);
            return message ? [{ message, ranges: highlights }] : [];
          });
          return { items, nextPageToken: page.nextPageToken };
        }
      : undefined,
    [asked.toString(), inRoom],
  );

  return (
    <ListPage
      title={inRoom ? words.talk.room.search : text.title}
      {...(inRoom && { closeTo: roomPath(inRoom) })}
      head={<SearchForm key={path.value} inRoom={inRoom} />}
    >
      <Paged pages={hits} empty={looks ? text.none : text.hint}>
        {({ message, ranges }) => (
          <FoundCard
            key={`${message.seq} ${message.roomId}`}
            message={message}
            ranges={ranges}
            showRoom={!inRoom}
          />
        )}
      </Paged>
    </ListPage>
  );
}

interface SearchFormProps {
  readonly inRoom: string | undefined;
}

function SearchForm({ inRoom }: SearchFormProps) {
  const chat = useChat();
  const asked = query.value;
  const [written, setWritten] = useState(asked.get("q") ?? "");
  const [sender, setSender] = useState(asked.get("from") ?? "");
  const [filters, setFilters] = useState([...asked.keys()].some((key) => key !== "q"));
  const rooms = useComputed(() =>
    chat.rooms.value.map((room) => ({ value: room.roomId, label: roomName(room) })),
  ).value;

  const ask = (change: Record<string, string>) => {
    const next = new URLSearchParams(query.peek());
    for (const [key, value] of Object.entries(change)) {
      if (value) next.set(key, value);
      else next.delete(key);
    }
    const search = next.toString();
    navigate(search ? `${path.peek()}?${search}` : path.peek(), { replace: true });
  };

  return (
    <form
      class="search-view__form"
      onSubmit={(event) => {
        event.preventDefault();
        ask({ q: written.trim(), from: sender.trim() });
      }}
    >
      <div class="search-view__line">
        <Field
          label={text.label}
          hideLabel
          type="search"
          placeholder={text.label}
          value={written}
          onValue={setWritten}
          autofocus
        />
        <Button type="submit" variant="primary">
          {text.start}
        </Button>
      </div>
      <details
        class="search-view__more"
        open={filters}
        onToggle={(event) => setFilters(event.currentTarget.open)}
      >
        <summary class="search-view__summary">{text.filters}</summary>
        <div class="search-view__filters">
          {!inRoom && (
            <Select
              label={text.room}
              choices={[{ value: "", label: text.allRooms }, ...rooms]}
              value={asked.get("room") ?? ""}
              onValue={(room) => ask({ room })}
            />
          )}
          <Field
            label={text.sender}
            placeholder={text.anyone}
            value={sender}
            onValue={setSender}
            autocapitalize="none"
          />
          <Field
            label={text.from}
            type="date"
            value={asked.get("since") ?? ""}
            onValue={(since) => ask({ since })}
          />
          <Field
            label={text.before}
            type="date"
            value={asked.get("until") ?? ""}
            onValue={(until) => ask({ until })}
          />
          <Select
            label={text.order}
            choices={[
              { value: "", label: text.newest },
              { value: "best", label: text.best },
            ]}
            value={asked.get("order") ?? ""}
            onValue={(order) => ask({ order })}
          />
          <div>
            <Checkbox
              label={text.files}
              checked={asked.get("files") === "1"}
              onChecked={(on) => ask({ files: on ? "1" : "" })}
            />
            <Checkbox
              label={text.mentions}
              checked={asked.get("me") === "1"}
              onChecked={(on) => ask({ me: on ? "1" : "" })}
            />
          </div>
        </div>
      </details>
    </form>
  );
}

/** The beginning of a day, some days later, in microseconds since 1970; 0 for no day. */
function stampOf(day: string | null, later = 0): bigint {
  const [year, month, date] = (day ?? "").split("-").map(Number);
  if (!year || !month || !date) return 0n;
  const time = new Date(year, month - 1, date + later).getTime();
  return Number.isFinite(time) && time > 0 ? BigInt(time) * 1000n : 0n;
}
