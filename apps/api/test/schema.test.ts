import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GraphQLSchemaHost } from '@nestjs/graphql';
import { printSchema } from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApp, type TestApp } from './harness.js';

const FILE = fileURLToPath(new URL('../schema.graphql', import.meta.url));
const HEADER = '# Generated from the resolvers by `npm run schema -w @aril/api`; the portal types its documents against it.\n\n';

let test: TestApp;
beforeAll(async () => {
  test = await startApp();
});
afterAll(() => test.stop());

it('schema.graphql is what the resolvers make; otherwise run: npm run schema -w @aril/api', () => {
  const made = `${HEADER}${printSchema(test.app.get(GraphQLSchemaHost).schema)}\n`;
  if (process.env['UPDATE_SCHEMA']) writeFileSync(FILE, made);
  expect(readFileSync(FILE, 'utf8')).toBe(made);
});
