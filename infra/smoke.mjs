/**
 * `node infra/smoke.mjs [PORTAL] [API]` asks a deployment for everything once, as a customer would: signs up through the
 * portal, makes a key, uploads an adapter, streams an answer of it. Leaves a tenant named "Smoke" behind. Node 20, no packages.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [portal = 'http://localhost:3000', api = 'http://localhost:4000'] = process.argv.slice(2);
const FOLDER = new URL('../examples/adapters/pirate/', import.meta.url);
const MODEL = 'smollm2-135m-instruct';
const done = (what) => console.log(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${what}`);

async function ask(url, { method = 'POST', json, headers, body }) {
  const response = await fetch(url, {
    method,
    headers: { ...(json && { 'content-type': 'application/json' }), ...headers },
    body: json ? JSON.stringify(json) : body,
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  return response;
}

async function graphql(cookie, query, input) {
  const headers = { cookie, origin: portal };
  const { data, errors } = await (await ask(`${portal}/api/graphql`, { headers, json: { query, variables: { input } } })).json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

const name = `smoke-${randomBytes(4).toString('hex')}`;
const account = { name: 'Smoke', email: `${name}@example.test`, password: randomBytes(12).toString('hex'), tenantName: 'Smoke' };
const signUp = await ask(`${portal}/api/auth/sign-up/email`, { headers: { origin: portal }, json: account });
const cookie = signUp.headers.getSetCookie().map((line) => line.split(';', 1)[0]).join('; ');
done(`signed up as ${account.email}`);

const { createApiKey } = await graphql(cookie, 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }', { name });
done('made an API key');

const files = ['adapter_config.json', 'adapter_model.safetensors'].map((file) => ({ file, bytes: readFileSync(new URL(file, FOLDER)) }));
const { createAdapter } = await graphql(
  cookie,
  'mutation ($input: CreateAdapterInput!) { createAdapter(input: $input) { adapter { id } uploadUrl } }',
  { slug: name, baseModelId: MODEL, files: files.map(({ file, bytes }) => ({ name: file, bytes: bytes.length })) },
);
const adapterId = createAdapter.adapter.id;
for (const { file, bytes } of files) {
  const base64 = (text) => Buffer.from(text).toString('base64');
  const tus = { cookie, origin: portal, 'tus-resumable': '1.0.0' };
  const metadata = `adapterId ${base64(adapterId)},filename ${base64(file)}`;
  const made = await ask(`${portal}/api/uploads`, { headers: { ...tus, 'upload-length': String(bytes.length), 'upload-metadata': metadata } });
  const headers = { ...tus, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
  await ask(new URL(made.headers.get('location'), portal), { method: 'PATCH', headers, body: bytes });
}
const finish = 'mutation ($input: FinishAdapterUploadInput!) { finishAdapterUpload(input: $input) { adapter { status } } }';
const { finishAdapterUpload } = await graphql(cookie, finish, { adapterId });
done(`uploaded an adapter: ${finishAdapterUpload.adapter.status}`);

const answer = await ask(`${api}/v1/chat/completions`, {
  headers: { authorization: `Bearer ${createApiKey.secret}` },
  json: { model: name, stream: true, max_tokens: 40, temperature: 0, messages: [{ role: 'user', content: 'Where is the treasure?' }] },
});
const text = await answer.text();
const contents = text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)).choices[0]?.delta?.content ?? '');
const events = contents.filter(Boolean).length;
if (!events) throw new Error(`the stream said nothing: ${text}`);
done(`streamed ${events} events: ${contents.join('')}`);
