import { useEffect, useState } from "preact/hooks";
import { useCalls } from "../app/context";
import { answerOf, errand, forgetErrand } from "../app/issuer";
import { Button } from "../ui/Button";
import { navigate, query } from "../ui/location";
import { Spinner } from "../ui/Spinner";
import { type ChatError, toChatError } from "../wire/errors";
import { words } from "../words";
import { SignInPage } from "./SignIn";

const text = words.signIn;

/** The page that an issuer sent somebody back to who is signed in, to sign in with it from now on. */
export function LinkIdentity() {
  const calls = useCalls();
  const [failed, setFailed] = useState<ChatError>();
  const leave = () => {
    const { to } = errand();
    forgetErrand();
    navigate(to, { replace: true });
  };
  useEffect(() => {
    const answer = answerOf(query.value);
    history.replaceState(null, "", location.pathname);
    calls.auth.linkIdentity(answer).then(leave, (error) => setFailed(toChatError(error)));
  }, []);
  return (
    <SignInPage title={text.titleLink}>
      {failed ? (
        <>
          <p role="alert">{failed.message}</p>
          <Button onClick={leave}>{words.common.back}</Button>
        </>
      ) : (
        <Spinner label={words.common.loading} />
      )}
    </SignInPage>
  );
}
