/** The addresses of our own scripts, as `require-trusted-types-for 'script'` wants to have them. */

interface Policy {
  createScriptURL(url: string): string;
}

interface Factory {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
}

let policy: Policy | undefined;

/** Lets only files of this origin through. The one policy that the server's headers allow, so nothing else may make one. */
export function scriptUrl(url: string): string {
  const factory = (globalThis as { trustedTypes?: Factory }).trustedTypes;
  if (!factory) return own(url);
  policy ??= factory.createPolicy("grpc-chat", { createScriptURL: own });
  return policy.createScriptURL(url);
}

function own(url: string): string {
  const { origin, pathname, href } = new URL(url, location.href);
  if (origin !== location.origin || !pathname.endsWith(".js") === !import.meta.env.DEV)
    throw new TypeError(`${href} is no script of ours`);
  return url;
}
