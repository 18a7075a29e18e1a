// node oidc-provider as an issuer on loopback. Prints its URL, and ends with its standard input.
//
// Whoever the header X-Person names is logged in without a page; the pages of the device flow are the package's.
import http from 'node:http';
import Provider from 'oidc-provider';

const people = {
  alice: { name: 'Alice L.', preferred_username: 'alice', email: 'alice@example.org', email_verified: true },
  nameless: {},
};
const grants = ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'];
const native = { application_type: 'native', redirect_uris: ['http://127.0.0.1/'], grant_types: grants };
const clients = [
  { ...native, client_id: 'public', token_endpoint_auth_method: 'none' },
  { ...native, client_id: 'basic', client_secret: 'a+b/c d:%', token_endpoint_auth_method: 'client_secret_basic' },
  { ...native, client_id: 'post', client_secret: 'a+b/c d:%', token_endpoint_auth_method: 'client_secret_post' },
];

let provider;
const server = http.createServer(async (request, response) => {
  if (!request.url.startsWith('/person/')) return provider.callback()(request, response);
  // Native clients need a consent each time, whatever was granted before.
  const result = { login: { accountId: request.headers['x-person'] }, consent: {} };
  await provider.interactionFinished(request, response, result);
});

server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  provider = new Provider(url, {
    clients,
    cookies: { keys: ['for tests'] },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    interactions: { url: (_, interaction) => `/person/${interaction.uid}` },
    features: { devInteractions: { enabled: false }, deviceFlow: { enabled: true } },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    // Nobody is asked what a client may know.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        accountId: ctx.oidc.session.accountId,
        clientId: ctx.oidc.client.clientId,
      });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  });
  console.log(url);
});
process.stdin.resume().on('end', () => process.exit());
