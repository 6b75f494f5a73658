#!/usr/bin/env node
/**
 * Prisma's schema engine in WebAssembly, for `prisma migrate`.
 *
 * The Prisma CLI starts a native engine and speaks JSON-RPC with it, one message a line, over stdin and stdout.
 * That engine is a download from a host of its own, outside any package registry, which many networks do not
 * reach. This program answers the same protocol with the same engine compiled to WebAssembly, over the `pg`
 * driver. We always use it, so that a migration runs the same code on every machine:
 *   PRISMA_SCHEMA_ENGINE_BINARY=<this file> npx prisma migrate deploy|dev|diff|status|reset
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as wasm from '@prisma/schema-engine-wasm/schema_engine_bg';
import { MigrationAdapterFactory } from './schema-engine-adapter.mjs';

/** What the CLI expects of an engine's error that is not a crash of the engine itself. */
const RPC_ERROR_CODE = 4466;
/** Methods whose name differs between the native engine's protocol and the WebAssembly module. */
const RENAMED = { getDatabaseVersion: 'version' };

async function loadEngine() {
  const wrapper = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bytes = readFileSync(wrapper.replace(/\.js$/, '.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': wasm });
  wasm.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
  // The module calls this global when Rust panics.
  globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => console.error(message) };
}

/** Fields instead of the string: the adapter replaces `database` alone to reach its shadow database. */
function connectionOf(datasourceArgument) {
  const url = new URL(JSON.parse(datasourceArgument).url);
  return {
    host: url.searchParams.get('host') ?? url.hostname,
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    ssl: ['require', 'verify-ca', 'verify-full'].includes(url.searchParams.get('sslmode') ?? ''),
  };
}

/** @param {string[]} args values of an option that may be given more than once */
function optionValues(args, name) {
  return args.flatMap((arg, i) => (arg === name ? [args[i + 1]] : []));
}

async function createEngine(args) {
  const datamodels = optionValues(args, '--datamodels').map((path) => [path, readFileSync(path, 'utf8')]);
  const factory = new MigrationAdapterFactory(connectionOf(optionValues(args, '--datasource')[0]));
  return wasm.SchemaEngine.new(
    { datamodels: datamodels.length > 0 ? datamodels : undefined },
    () => {},
    bindMigrationAwareSqlAdapterFactory(factory),
  );
}

function send(message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

async function answer(engine, { id, method, params }) {
  try {
    const result = await engine[RENAMED[method] ?? method](params);
    // The native engine prints a diff by calling back; the module returns the text instead.
    if (method === 'diff' && result?.stdout)
      send({ id: `${id}-print`, method: 'print', params: { content: result.stdout } });
    send({ id, result: result ?? null });
  } catch (error) {
    const data = { is_panic: false, message: error.message, meta: {} };
    send({ id, error: { code: RPC_ERROR_CODE, message: error.message, data } });
  }
}

async function main(args) {
  if (args.includes('--version')) return console.log('schema-engine-cli wasm');
  // `cli can-connect-to-database` and `cli create-database`: migrate() has created it and connected to it.
  if (args.includes('cli')) return;
  await loadEngine();
  const engine = await createEngine(args);
  for await (const line of createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    // Without a method it is the CLI's receipt for something we sent.
    if (message.method) await answer(engine, message);
  }
}

// 57P01, admin_shutdown: idle connections to the shadow database, cut when the adapter drops it by force.
process.on('uncaughtException', (error) => {
  if (error.code === '57P01') return;
  console.error(error);
  process.exit(1);
});
await main(process.argv.slice(2));
process.exit(0);
