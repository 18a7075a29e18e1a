import { useEffect, useState } from "preact/hooks";
import { takeInvite } from "../app/invite";
import { errand, isBack } from "../app/issuer";
import { roomPath } from "../app/paths";
import { lazy } from "../ui/lazy";
import { navigate, path } from "../ui/location";
import { showToast, Toasts } from "../ui/toasts";
import { words } from "../words";
import { ErrorBoundary } from "./ErrorBoundary";
import { Frame } from "./Frame";
import { forget, onChange, remember, remembered, type SignedIn } from "./identity";
import { Live } from "./Live";
import type { SignInProps } from "./SignIn";
import { UseInvite } from "./UseInvite";

// Those who are signed in need neither.
const SignIn = lazy<SignInProps>(() => import("./SignIn").then((module) => module.SignIn));
const LinkIdentity = lazy(() => import("./LinkIdentity").then((module) => module.LinkIdentity));

/** Everything: the sign-in page, or the frame of those who are signed in. */
export function App() {
  const [user, setUser] = useState<SignedIn | undefined>(remembered);
  const [invite, setInvite] = useState(takeInvite);
  useEffect(() => onChange(() => setUser(remembered())), []);

  // A link with an invite may be opened in a tab that is here already.
  useEffect(() => {
    const changed = () => setInvite((before) => takeInvite() || before);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);

  const signedIn: SignInProps["onSignedIn"] = (found, { room = "", invite: left = "" } = {}) => {
    remember(found);
    setInvite(left);
    setUser(found);
    if (room) navigate(roomPath(room), { replace: true });
    else if (isBack(path.value)) navigate(errand().to, { replace: true });
  };

  const signedOut = (why?: string) => {
    if (why !== undefined) showToast(words.shell.ended);
    else navigate("/", { replace: true });
    forget();
    setUser(undefined);
  };

  const links = isBack(path.value) && errand().purpose === "link";
  return (
    <ErrorBoundary>
      {user && (!isBack(path.value) || links) ? (
        <Live key={`${user.kind} ${user.userId}`} user={user} onSignedOut={signedOut}>
          {links ? <LinkIdentity /> : <Frame />}
          {invite && <UseInvite code={invite} onUsed={() => setInvite("")} />}
        </Live>
      ) : (
        <SignIn invite={invite} onSignedIn={signedIn} />
      )}
      <Toasts />
    </ErrorBoundary>
  );
}
