import { useEffect, useMemo, useState } from "preact/hooks";
import { type Session, SessionContext } from "../app/context";
import { takeInvite } from "../app/invite";
import { errand, isBack } from "../app/issuer";
import { roomPath } from "../app/paths";
import { navigate, path } from "../ui/location";
import { showError, Toasts } from "../ui/toasts";
import { createCalls } from "../wire/calls";
import { Frame } from "./Frame";
import { forget, identityOf, onChange, remember, remembered, type SignedIn } from "./identity";
import { LinkIdentity } from "./LinkIdentity";
import { SignIn, type SignInProps } from "./SignIn";

/** Everything: the sign-in page, or the frame of those who are signed in. */
export function App() {
  const [user, setUser] = useState<SignedIn | undefined>(remembered);
  const [invite, setInvite] = useState(takeInvite);
  useEffect(() => onChange(() => setUser(remembered())), []);

  const session = useMemo<Session | undefined>(() => {
    if (!user) return undefined;
    const identity = identityOf(user);
    const calls = createCalls(identity);
    const signOut = async () => {
      if (identity.kind === "cookie") await calls.auth.logOut({});
      forget();
      setUser(undefined);
      navigate("/", { replace: true });
    };
    return { userId: user.userId, identity, calls, signOut };
  }, [user?.userId, user?.kind]);

  // A link with an invite may be opened in a tab that is here already.
  useEffect(() => {
    const changed = () => setInvite((before) => takeInvite() || before);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);

  // An invite to a room is for those who have an account, too.
  useEffect(() => {
    if (!session || !invite) return;
    setInvite("");
    session.calls.rooms.joinRoom({ inviteCode: invite }).then(
      ({ room }) => navigate(roomPath(room?.roomId ?? ""), { replace: true }),
      (error) => showError(error),
    );
  }, [session, invite]);

  const signedIn: SignInProps["onSignedIn"] = (found, { room = "", invite: left = "" } = {}) => {
    remember(found);
    setInvite(left);
    setUser(found);
    if (room) navigate(roomPath(room), { replace: true });
    else if (isBack(path.value)) navigate(errand().to, { replace: true });
  };

  const links = isBack(path.value) && errand().purpose === "link";
  const shown = session && (!isBack(path.value) || links) ? session : undefined;
  return (
    <>
      {shown ? (
        <SessionContext.Provider value={shown}>
          {links ? <LinkIdentity /> : <Frame key={shown.userId} />}
        </SessionContext.Provider>
      ) : (
        <SignIn invite={invite} onSignedIn={signedIn} />
      )}
      <Toasts />
    </>
  );
}
