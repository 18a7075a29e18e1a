import { useEffect, useMemo, useState } from "preact/hooks";
import { type Session, SessionContext } from "../app/context";
import { navigate, path } from "../ui/location";
import { Toasts } from "../ui/toasts";
import { createCalls } from "../wire/calls";
import { Frame } from "./Frame";
import { forget, identityOf, onChange, remember, remembered, type SignedIn } from "./identity";
import { SignIn } from "./SignIn";

/** Everything: the sign-in page, or the frame of those who are signed in. */
export function App() {
  const [user, setUser] = useState<SignedIn | undefined>(remembered);
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

  const signedIn = (found: SignedIn, to = "/") => {
    remember(found);
    setUser(found);
    if (path.value.startsWith("/log-in") || to !== "/") navigate(to, { replace: true });
  };

  return (
    <>
      {session ? (
        <SessionContext.Provider value={session}>
          <Frame key={session.userId} />
        </SessionContext.Provider>
      ) : (
        <SignIn onSignedIn={signedIn} />
      )}
      <Toasts />
    </>
  );
}
