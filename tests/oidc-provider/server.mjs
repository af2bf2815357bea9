// A real OpenID provider (npm `oidc-provider`) for tests, in which the person at the keyboard is played: whoever the
// `login_hint` names signs in at once with a hardware key and consents. It listens on a free loopback port and writes
// one line of JSON with its address; it ends when its standard input does, so that no test leaves one behind.
//
// It can turn malicious: `POST /malice` with the name of one of the forgeries below, and the next answers are forged
// with the provider's own key. Not a part of the product, and no example of how to run a provider.

import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { SignJWT, UnsecuredJWT, decodeJwt, exportJWK, importJWK } from 'jose';
import Provider from 'oidc-provider';

// Standard output carries one line and nothing else.
console.info = console.error;

const argument = (name, fallback) => {
  const prefix = `--${name}=`;
  return process.argv.find((each) => each.startsWith(prefix))?.slice(prefix.length) ?? fallback;
};

const CLIENT = 'countersign';
const SECRET = 'a-client-secret-for-tests-only-0123456789';
const REDIRECTS = argument('redirect', 'http://countersign.localhost:8080/sign-in/federated/callback').split(',');
const LOGOUT_URI = argument('logout', 'http://countersign.localhost:8080/sign-in/federated/logout');
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

const newKey = async (kid) => {
  const jwk = await exportJWK(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
  return { ...jwk, kid, alg: 'RS256', use: 'sig' };
};
const key = await newKey('first');
const strangerKey = await newKey('stranger');

const server = createServer();
await new Promise((ready) => server.listen(Number(argument('port', '0')), '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

let malice = 'none-at-all';
let lastLogoutToken = null;

const sign = (claims, { by = key, kid = by.kid, header = {} } = {}) =>
  importJWK(by, 'RS256').then((signer) => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, ...header }).sign(signer));

// Each takes the claims of an honest ID token and returns a forged one.
const forgeries = {
  'wrong-nonce': (claims) => sign({ ...claims, nonce: 'another' }),
  'no-nonce': ({ nonce, ...claims }) => sign(claims),
  'wrong-audience': (claims) => sign({ ...claims, aud: 'another-client' }),
  'two-audiences': (claims) => sign({ ...claims, aud: [CLIENT, 'another-client'] }),
  'wrong-party': (claims) => sign({ ...claims, azp: 'another-client' }),
  'wrong-issuer': (claims) => sign({ ...claims, iss: 'https://elsewhere.example' }),
  'expired': (claims) => sign({ ...claims, iat: claims.iat - 7200, exp: claims.iat - 3600 }),
  'from-the-future': (claims) => sign({ ...claims, iat: claims.iat + 3600, exp: claims.exp + 7200 }),
  'old-proof': (claims) => sign({ ...claims, auth_time: claims.iat - 86400 }),
  'alg-none': async (claims) => new UnsecuredJWT(claims).encode(),
  'hs256-secret': (claims) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET)),
  'hs256-public-key': (claims) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: key.kid }).sign(new TextEncoder().encode(key.n)),
  'unknown-key': (claims) => sign(claims, { by: strangerKey }),
  'stolen-kid': (claims) => sign(claims, { by: strangerKey, kid: key.kid }),
  'embedded-key': (claims) => {
    const { kty, n, e } = strangerKey;
    return sign(claims, { by: strangerKey, kid: key.kid, header: { jwk: { kty, n, e } } });
  },
};

const provider = new Provider(issuer, {
  clients: [{
    client_id: CLIENT,
    client_secret: SECRET,
    redirect_uris: REDIRECTS,
    response_types: ['code'],
    grant_types: ['authorization_code'],
    backchannel_logout_uri: LOGOUT_URI,
    backchannel_logout_session_required: true,
  }],
  jwks: { keys: [key] },
  cookies: { keys: [randomUUID()] },
  claims: { openid: ['sub', 'amr'], email: ['email', 'email_verified'], profile: ['name'], acr: null, auth_time: null, sid: null },
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
  pkce: { required: () => true },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  async findAccount(_ctx, id) {
    return {
      accountId: id,
      claims: async () => ({ sub: id, email: `${id}@example.org`, email_verified: true, name: id[0].toUpperCase() + id.slice(1) }),
    };
  },
  // Logout tokens are kept for the test to ask for, and delivered where a receiver listens.
  async fetch(url, options) {
    if (String(url) === LOGOUT_URI) {
      lastLogoutToken = new URLSearchParams(String(options.body)).get('logout_token');
      return fetch(url, options).catch(() => new Response(null, { status: 200 }));
    }
    return fetch(url, options);
  },
});

// The person at the keyboard.
async function interact(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    const login = { accountId: params.login_hint ?? 'alice', amr: ['hwk', 'pin'], remember: true };
    return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const grantId = await grant.save();
  return provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
}

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith('/interaction/')) {
    ctx.respond = false;
    return interact(ctx.req, ctx.res);
  }
  await next();
  if (ctx.path === '/token' && ctx.body?.id_token && forgeries[malice]) {
    ctx.body = { ...ctx.body, id_token: await forgeries[malice](decodeJwt(ctx.body.id_token)) };
  }
  const location = ctx.response.get('location');
  if (location && REDIRECTS.some((each) => location.startsWith(each))) {
    const target = new URL(location);
    if (malice === 'mixed-up-issuer') target.searchParams.set('iss', 'https://elsewhere.example');
    if (malice === 'hidden-issuer') target.searchParams.delete('iss');
    ctx.set('location', target.href);
  }
});

async function control(request, response) {
  const url = new URL(request.url, issuer);
  if (url.pathname === '/malice') {
    malice = url.searchParams.get('kind');
  } else if (url.pathname === '/logout') {
    const client = await provider.Client.find(CLIENT);
    await client.backchannelLogout(url.searchParams.get('sub'), url.searchParams.get('sid'));
    response.end(lastLogoutToken);
  } else if (url.pathname === '/forged-logout') {
    // Any claims, signed by the provider: `null` takes a claim away.
    const now = Math.floor(Date.now() / 1000);
    const honest = { iss: issuer, aud: CLIENT, iat: now, exp: now + 120, jti: randomUUID(), sub: 'alice', events: { [EVENT]: {} } };
    const changed = Object.entries({ ...honest, ...JSON.parse(url.searchParams.get('claims') ?? '{}') });
    const header = { typ: url.searchParams.get('typ') ?? 'logout+jwt' };
    response.end(await sign(Object.fromEntries(changed.filter(([, value]) => value !== null)), { header }));
  } else {
    return false;
  }
  response.end();
  return true;
}

const answer = provider.callback();
server.on('request', async (request, response) => {
  if (request.method === 'POST' && (await control(request, response))) return;
  answer(request, response);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
console.log(JSON.stringify({ issuer, client_id: CLIENT, client_secret: SECRET, forgeries: Object.keys(forgeries) }));
