import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { Spinner } from "../ui/Spinner";
import { createCalls } from "../wire/calls";
import type { GetServerInfoResponse } from "../wire/chat_pb";
import { Registration } from "../wire/chat_pb";
import { type ChatError, toChatError } from "../wire/errors";
import { words } from "../words";
import type { SignedIn } from "./identity";
import "./SignIn.css";

const text = words.signIn;

export interface SignInProps {
  readonly onSignedIn: (user: SignedIn, to?: string) => void;
}

/** What is shown to those who are not signed in. */
export function SignIn({ onSignedIn }: SignInProps) {
  const calls = useMemo(() => createCalls({ kind: "cookie" }), []);
  const [server, setServer] = useState<GetServerInfoResponse>();
  const [failed, setFailed] = useState<ChatError>();

  const ask = async () => {
    setFailed(undefined);
    try {
      setServer(await calls.auth.getServerInfo({}));
    } catch (error) {
      setFailed(toChatError(error));
    }
  };
  useEffect(() => {
    document.title = `${text.title} · ${words.common.product}`;
    void ask();
  }, []);

  if (failed)
    return (
      <Page>
        <p role="alert">{failed.unreachable ? words.common.unreachable : failed.message}</p>
        <Button onClick={ask}>{words.common.tryAgain}</Button>
      </Page>
    );
  if (!server)
    return (
      <Page>
        <Spinner label={words.common.loading} />
      </Page>
    );
  return (
    <Page>
      {trusts(server) ? <TrustedForm onSignedIn={onSignedIn} /> : <PasswordForm onSignedIn={onSignedIn} />}
    </Page>
  );
}

/** Whether the server has no accounts, and believes everybody. */
function trusts(server: GetServerInfoResponse): boolean {
  return !server.passwordLogin && server.providers.length === 0 && server.registration <= Registration.CLOSED;
}

function Page({ children }: { readonly children: ComponentChildren }) {
  return (
    <main class="sign-in" id="main">
      <div class="sign-in__card">
        <h1 class="sign-in__title">{text.title}</h1>
        {children}
      </div>
    </main>
  );
}

function TrustedForm({ onSignedIn }: SignInProps) {
  const [userId, setUserId] = useState("");
  const form = useForm(async () => {
    const { user } = await createCalls({ kind: "trusted", userId }).auth.getMe({});
    onSignedIn({ kind: "trusted", userId: user?.userId ?? userId });
  });
  return (
    <form class="sign-in__form" onSubmit={form.submit}>
      <p class="sign-in__about">{text.trusted}</p>
      <Field
        label={text.userId}
        value={userId}
        onValue={setUserId}
        error={form.error?.message}
        required
        autofocus
        autocomplete="username"
        autocapitalize="none"
        spellcheck={false}
      />
      <Button type="submit" variant="primary" busy={form.busy}>
        {text.enter}
      </Button>
    </form>
  );
}

function PasswordForm({ onSignedIn }: SignInProps) {
  const calls = useMemo(() => createCalls({ kind: "cookie" }), []);
  const [userId, setUserId] = useState("");
  const [password, setPassword] = useState("");
  const form = useForm(async () => {
    const { user } = await calls.auth.logIn({ userId, password });
    onSignedIn({ kind: "cookie", userId: user?.userId ?? userId });
  });
  return (
    <form class="sign-in__form" onSubmit={form.submit}>
      <Field
        label={text.userId}
        value={userId}
        onValue={setUserId}
        required
        autofocus
        autocomplete="username"
        autocapitalize="none"
        spellcheck={false}
      />
      <Field
        label={text.password}
        type="password"
        value={password}
        onValue={setPassword}
        error={form.error?.message}
        required
        autocomplete="current-password"
      />
      <Button type="submit" variant="primary" busy={form.busy}>
        {text.enter}
      </Button>
    </form>
  );
}

function useForm(send: () => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ChatError>();
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(undefined);
    try {
      await send();
    } catch (thrown) {
      setError(toChatError(thrown));
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, submit };
}
