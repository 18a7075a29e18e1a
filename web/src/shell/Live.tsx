import { effect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { ChatContext } from "../app/chat";
import { type Session, SessionContext } from "../app/context";
import { forgetKept } from "../app/kept";
import { learnLimits } from "../app/limits";
import type { Chat } from "../sync/api";
import { openChat } from "../sync/openChat";
import "../ui/lazy.css";
import { Spinner } from "../ui/Spinner";
import { createCalls } from "../wire/calls";
import { words } from "../words";
import { identityOf, type SignedIn } from "./identity";

interface LiveProps {
  readonly user: SignedIn;
  /** The session is over: because the user said so, or, with a reason, because the server did. */
  readonly onSignedOut: (why?: string) => void;
  readonly children: ComponentChildren;
}

/** What all views of a session need: its calls, and the chat as this browser has it. Another user needs another one. */
export function Live({ user, onSignedOut, children }: LiveProps) {
  const [chat, setChat] = useState<Chat>();
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    let opened: Chat | undefined;
    let gone = false;
    openChat(identityOf(user)).then(
      (found) => {
        opened = found;
        if (gone) found.close();
        else setChat(found);
      },
      () => setFailed(true),
    );
    return () => {
      gone = true;
      opened?.close();
    };
  }, []);

  useEffect(() => {
    if (!chat) return;
    return effect(() => {
      const connection = chat.connection.value;
      // Later: what it does is about other signals, which this must not depend on.
      if (connection.state === "signed-out") queueMicrotask(() => onSignedOut(connection.why));
    });
  }, [chat]);

  useEffect(() => {
    if (!chat) return;
    const { auth } = createCalls(identityOf(user));
    return effect(() => {
      if (chat.connection.value.state !== "online") return;
      // Each time: a server that was away may have other settings. It says itself if something is too large.
      auth.getServerInfo({}).then(
        ({ limits }) => learnLimits(limits),
        () => undefined,
      );
    });
  }, [chat]);

  const session = useMemo<Session>(() => {
    const identity = identityOf(user);
    const calls = createCalls(identity);
    const signOut = async () => {
      await chat?.signOut();
      forgetKept(user.userId);
      onSignedOut();
    };
    return { userId: user.userId, identity, calls, signOut };
  }, [chat]);

  if (failed)
    return (
      <p class="lazy" role="alert">
        {words.shell.noStorage}
      </p>
    );
  if (!chat)
    return (
      <p class="lazy">
        <Spinner label={words.common.loading} />
      </p>
    );
  return (
    <SessionContext.Provider value={session}>
      <ChatContext.Provider value={chat}>{children}</ChatContext.Provider>
    </SessionContext.Provider>
  );
}
