import { useSignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useCalls } from "../app/context";
import { roomPath } from "../app/paths";
import { Button } from "../ui/Button";
import { query } from "../ui/location";
import { showError } from "../ui/toasts";
import { words } from "../words";
import { ConversationView } from "./ConversationView";
import { ListPage } from "./ListPage";
import { numberOf } from "./RoomView";

const text = words.talk.thread;

interface ThreadPanelProps {
  readonly params: Readonly<Record<string, string>>;
}

/** A thread, beside its room. */
export function ThreadPanel({ params }: ThreadPanelProps) {
  const chat = useChat();
  const roomId = params.roomId ?? "";
  const root = numberOf(params.root);
  const room = chat.room(roomId).value;
  if (!room || root === undefined) return null;
  return (
    <ListPage
      title={text.title}
      closeTo={roomPath(roomId)}
      fills
      actions={<Follow roomId={roomId} root={root} />}
    >
      <ConversationView
        key={`${root} ${roomId}`}
        room={room}
        threadRoot={root}
        seq={numberOf(query.value.get("message") ?? undefined)}
      />
    </ListPage>
  );
}

function Follow({ roomId, root }: { readonly roomId: string; readonly root: number }) {
  const chat = useChat();
  const calls = useCalls();
  const following = useSignal<boolean | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    let wanted = true;
    following.value = undefined;
    calls.messages.listThreadMessages({ roomId, threadRoot: BigInt(root), pageSize: 1 }).then(
      ({ thread }) => {
        if (wanted) following.value = thread?.following ?? false;
      },
      () => undefined,
    );
    return () => {
      wanted = false;
    };
  }, [roomId, root]);
  const change = async () => {
    setBusy(true);
    try {
      await chat.follow(roomId, root, !following.peek());
      following.value = !following.peek();
    } catch (error) {
      showError(error);
    } finally {
      setBusy(false);
    }
  };
  if (following.value === undefined) return null;
  return (
    <Button
      size="small"
      variant="quiet"
      busy={busy}
      aria-pressed={following.value}
      title={text.followAbout}
      onClick={() => void change()}
    >
      {following.value ? text.unfollow : text.follow}
    </Button>
  );
}
