import type { Calls } from "../wire/calls";

/** Where issuers send browsers back to. */
const BACK = "/log-in/back";

const KEY = "grpc-chat.issuer";

/** Why somebody went to an issuer; it is remembered meanwhile, in this tab. */
export interface Errand {
  /** `sign-in` begins a session, `link` adds the issuer's identity to the account of the session that there is. */
  readonly purpose: "sign-in" | "link";
  readonly invite?: string;
  /** The address to go to afterwards. */
  readonly to: string;
}

/** Leave for an issuer: one of GetServerInfo's, by its name. This page ends with it. */
export async function goToIssuer(calls: Calls, provider: string, errand: Errand): Promise<void> {
  const begun = await calls.auth.beginLogIn({
    provider,
    redirectUri: location.origin + BACK,
    inviteCode: errand.invite ?? "",
    switchAccount: errand.purpose === "link",
  });
  const address = new URL(begun.authorizationUrl);
  if (address.protocol !== "https:" && address.protocol !== "http:")
    throw new Error(`${address.protocol} is no address of an issuer`);
  sessionStorage.setItem(KEY, JSON.stringify(errand));
  location.assign(address.href);
}

/** Whether this page is where an issuer sent the browser back to. */
export const isBack = (path: string): boolean => path === BACK;

/** Why this tab went to the issuer, as far as it knows. */
export function errand(): Errand {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (typeof found === "object" && found !== null && "purpose" in found && "to" in found) {
      const to = typeof found.to === "string" && found.to.startsWith("/") ? found.to : "/";
      const invite = "invite" in found && typeof found.invite === "string" ? found.invite : "";
      return { purpose: found.purpose === "link" ? "link" : "sign-in", to, ...(invite && { invite }) };
    }
  } catch {
    // Somebody else wrote there.
  }
  return { purpose: "sign-in", to: "/" };
}

export function forgetErrand(): void {
  sessionStorage.removeItem(KEY);
}

/** What an issuer's answer says, for FinishLogIn and LinkIdentity; each cut to what the server takes. */
export function answerOf(query: URLSearchParams) {
  const given = (name: string, most: number) => (query.get(name) ?? "").slice(0, most);
  return {
    code: given("code", 2048),
    state: given("state", 256),
    iss: given("iss", 1024),
    error: given("error", 64),
    // The limit is one of bytes.
    errorDescription: given("error_description", 256),
  };
}
