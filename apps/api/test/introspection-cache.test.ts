/** Answers about the schema, which are executed once. */
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { getIntrospectionQuery } from 'graphql';
import { expect, it } from 'vitest';
import { introspectionCache } from '../src/base/graphql/introspection-cache.js';

async function started() {
  let executed = 0;
  const counting: ApolloServerPlugin = {
    requestDidStart: () => Promise.resolve({ executionDidStart: () => Promise.resolve(void executed++) }),
  };
  const server = new ApolloServer({ typeDefs: 'type Query { a: Int }', resolvers: { Query: { a: () => 1 } }, introspection: true, plugins: [introspectionCache(), counting] });
  const ask = async (query: string, variables: Record<string, unknown> = {}, operationName?: string): Promise<[string, number]> => {
    const before = executed;
    const { body } = await server.executeOperation({ query, variables, ...(operationName !== undefined && { operationName }) });
    return [JSON.stringify(body.kind === 'single' && body.singleResult), executed - before];
  };
  return ask;
}

it('are the same the second time', async () => {
  const ask = await started();
  const [answer, first] = await ask(getIntrospectionQuery());
  expect([first, answer]).toEqual([1, expect.stringContaining('__schema')]);
  expect(await ask(getIntrospectionQuery())).toEqual([answer, 0]);
});

it.each([
  ['{ a }'],
  ['{ __schema { queryType { name } } a }'],
  ['{ ...Both } fragment Both on Query { __typename a }'],
  ['{ ... on Query { a } __typename }'],
  [`# ${'x'.repeat(20_000)}\n{ __typename }`],
])('of anything else are executed each time: %s', async (query) => {
  const ask = await started();
  expect([(await ask(query))[1], (await ask(query))[1]]).toEqual([1, 1]);
});

it('are kept by variables and operation', async () => {
  const ask = await started();
  const byName = 'query One($name: String!) { __type(name: $name) { name } } query Other { __typename }';
  expect(await ask(byName, { name: 'Query' }, 'One')).toEqual([expect.stringContaining('"name":"Query"'), 1]);
  expect(await ask(byName, { name: 'Int' }, 'One')).toEqual([expect.stringContaining('"name":"Int"'), 1]);
  expect(await ask(byName, { name: 'Int' }, 'Other')).toEqual([expect.stringContaining('__typename'), 1]);
  expect((await ask(byName, { name: 'Query' }, 'One'))[1]).toBe(0);
});

it('are refused each time where they are refused', async () => {
  const ask = await started();
  for (let time = 0; time < 2; time++) expect((await ask('{ __schema { nothing } }'))[0]).toContain('Cannot query field');
});

it('are few: the one that nobody has asked for longest goes', async () => {
  const ask = await started();
  const numbered = (index: number): string => `# ${index}\n{ __typename }`;
  for (let index = 0; index < 16; index++) await ask(numbered(index));
  expect((await ask(numbered(0)))[1]).toBe(0);
  await ask(numbered(16));
  expect([(await ask(numbered(0)))[1], (await ask(numbered(1)))[1]]).toEqual([0, 1]);
});
