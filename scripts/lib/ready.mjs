/** What the user needs to go on: on the screen, and in .aril/ready.json for programs. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One prompt per demo adapter that shows what it was trained for. */
const PROMPTS = {
  'order-json': 'Hi, this is Nora. Please send 12 green chairs to Madrid by Friday.',
  'reply-friendly': 'I forgot my password.',
  sql: 'Table cars(id, brand, price, color)\nQuestion: How many cars have color red?',
};

/** @param {string} home */
export const readyFile = (home) => join(home, 'ready.json');

export function forgetReady(home) {
  rmSync(readyFile(home), { force: true });
}

/** @param {import('./stack.mjs').Context} context @param {import('./seed.mjs').Tenant[]} tenants */
export function writeReady({ settings, urls }, tenants) {
  const facts = {
    portalUrl: urls.portal,
    apiUrl: urls.api,
    metricsUrls: [urls.apiMetrics, urls.runnerMetrics].map((url) => `${url}/metrics`),
    tenants: tenants.map(({ name, slug, login, password, apiKey, adapters }) => ({
      name,
      slug,
      login,
      password,
      apiKey,
      adapters,
    })),
  };
  const file = readyFile(settings.home);
  // It holds keys; and whoever waits for it must never see half of it.
  writeFileSync(`${file}.new`, `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return facts;
}

/** @param {{ apiUrl: string, tenants: import('./seed.mjs').Tenant[] }} facts A command that works when pasted. */
export function exampleCurl({ apiUrl, tenants: [tenant] }) {
  const model = tenant.adapters.find((slug) => PROMPTS[slug]) ?? tenant.adapters[0];
  const body = {
    model,
    messages: [{ role: 'user', content: PROMPTS[model] ?? 'Hello!' }],
    max_tokens: 64,
    temperature: 0,
  };
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  return [
    `curl ${apiUrl}/v1/chat/completions \\`,
    `  -H 'Authorization: Bearer ${tenant.apiKey}' \\`,
    "  -H 'Content-Type: application/json' \\",
    `  -d '${json}'`,
  ].join('\n');
}

/** @param {import('./report.mjs').Report} report @param {ReturnType<typeof writeReady>} facts */
export function showReady(report, facts, settings) {
  report.line(`\n  Aril is ready.\n\n  Portal   ${facts.portalUrl}\n  API      ${facts.apiUrl}`);
  for (const tenant of facts.tenants) {
    report.line(`\n  ${tenant.name}`);
    report.line(`    login     ${tenant.login}   password  ${tenant.password}`);
    report.line(`    API key   ${tenant.apiKey}`);
    report.line(`    adapters  ${tenant.adapters.join(', ')}`);
  }
  report.line(`\n  Try it:\n\n${exampleCurl(facts)}\n`);
  report.line(
    `  These facts are in ${readyFile(settings.home)}; logs are in ${settings.logs}. Ctrl-C stops everything.\n`,
  );
}
