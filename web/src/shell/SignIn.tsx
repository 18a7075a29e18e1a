import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { goToIssuer, isBack } from "../app/issuer";
import { learnLimits } from "../app/limits";
import { Button } from "../ui/Button";
import { path } from "../ui/location";
import { Spinner } from "../ui/Spinner";
import { showError } from "../ui/toasts";
import { type Calls, createCalls } from "../wire/calls";
import { type GetServerInfoResponse, type LoginProvider, Registration } from "../wire/chat_pb";
import { type ChatError, Code, toChatError } from "../wire/errors";
import { words } from "../words";
import { FinishSignIn } from "./FinishSignIn";
import type { SignedIn } from "./identity";
import { PasswordForm } from "./PasswordForm";
import { RegisterForm } from "./RegisterForm";
import { TrustedForm } from "./TrustedForm";
import "./SignIn.css";

const text = words.signIn;

export interface SignInProps {
  /** The code of the invite that the page was opened with; empty without one. */
  readonly invite: string;
  /** Somebody is signed in.
   *
   * @param room The room that the invite led to, if it is used up. */
  readonly onSignedIn: (user: SignedIn, then?: { readonly room?: string; readonly invite?: string }) => void;
}

/** What is shown to those who are not signed in. */
export function SignIn(props: SignInProps) {
  const calls = useMemo(() => createCalls({ kind: "cookie" }), []);
  if (isBack(path.value))
    return (
      <SignInPage title={text.titleBack}>
        <FinishSignIn calls={calls} {...props} />
      </SignInPage>
    );
  return <Choose calls={calls} {...props} />;
}

function Choose({ calls, invite, onSignedIn }: SignInProps & { readonly calls: Calls }) {
  const [server, setServer] = useState<GetServerInfoResponse>();
  const [failed, setFailed] = useState<ChatError>();
  const [registers, setRegisters] = useState(invite !== "");

  const ask = async () => {
    setFailed(undefined);
    try {
      const info = await calls.auth.getServerInfo({});
      learnLimits(info.limits);
      // The cookie may hold a session still, though this page has forgotten whose.
      const user = trusts(info) ? undefined : await present(calls);
      if (user) onSignedIn({ kind: "cookie", userId: user }, { invite });
      else setServer(info);
    } catch (error) {
      setFailed(toChatError(error));
    }
  };
  useEffect(() => void ask(), []);

  if (failed)
    return (
      <SignInPage title={text.title}>
        <p role="alert">{failed.unreachable ? words.common.unreachable : failed.message}</p>
        <Button onClick={ask}>{words.common.tryAgain}</Button>
      </SignInPage>
    );
  if (!server)
    return (
      <SignInPage title={text.title}>
        <Spinner label={words.common.loading} />
      </SignInPage>
    );
  if (trusts(server))
    return (
      <SignInPage title={text.title}>
        <TrustedForm invite={invite} onSignedIn={onSignedIn} />
      </SignInPage>
    );

  const canRegister = server.passwordLogin && server.registration >= Registration.INVITE;
  const registering = registers && canRegister;
  const needsInvite = server.registration === Registration.INVITE;
  return (
    <SignInPage title={registering ? text.titleRegister : text.title}>
      {invite && <p class="sign-in__about">{canRegister ? text.invited : text.invitedOnlySignIn}</p>}
      {registering ? (
        <RegisterForm {...{ calls, invite, needsInvite, onSignedIn }} />
      ) : (
        server.passwordLogin && <PasswordForm {...{ calls, invite, onSignedIn }} />
      )}
      {server.providers.length > 0 && (
        <>
          {server.passwordLogin && <p class="sign-in__or">{text.or}</p>}
          <Issuers calls={calls} providers={server.providers} invite={invite} />
        </>
      )}
      {!server.passwordLogin && server.providers.length === 0 && <p>{text.nowhere}</p>}
      {canRegister && (
        <Button variant="quiet" onClick={() => setRegisters(!registering)}>
          {registering ? text.toSignIn : needsInvite && !invite ? text.haveInvite : text.toRegister}
        </Button>
      )}
      <p class="sign-in__version">{text.version(server.version)}</p>
    </SignInPage>
  );
}

/** Whether the server has no accounts, and believes everybody. */
function trusts(server: GetServerInfoResponse): boolean {
  return !server.passwordLogin && server.providers.length === 0 && server.registration <= Registration.CLOSED;
}

/** Whose session the browser's cookie holds; empty if none. */
async function present(calls: Calls): Promise<string> {
  try {
    return (await calls.auth.getMe({})).user?.userId ?? "";
  } catch (error) {
    if (toChatError(error).code === Code.Unauthenticated) return "";
    throw error;
  }
}

interface IssuersProps {
  readonly calls: Calls;
  readonly providers: readonly LoginProvider[];
  readonly invite: string;
}

function Issuers({ calls, providers, invite }: IssuersProps) {
  const [leaving, setLeaving] = useState("");
  const go = async (provider: string) => {
    setLeaving(provider);
    try {
      await goToIssuer(calls, provider, { purpose: "sign-in", to: "/", ...(invite && { invite }) });
    } catch (error) {
      setLeaving("");
      showError(toChatError(error));
    }
  };
  return (
    <div class="sign-in__issuers">
      {providers.map((provider) => (
        <Button
          key={provider.name}
          busy={leaving === provider.name}
          disabled={leaving !== "" && leaving !== provider.name}
          onClick={() => go(provider.name)}
        >
          {text.issuer(provider.label || provider.name)}
        </Button>
      ))}
    </div>
  );
}

export function SignInPage({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${title} · ${words.common.product}`;
  }, [title]);
  return (
    <main class="sign-in" id="main">
      <div class="sign-in__card">
        <img class="sign-in__logo" src="/icon.svg" alt="" width="40" height="40" />
        <h1 class="sign-in__title">{title}</h1>
        {children}
      </div>
    </main>
  );
}
