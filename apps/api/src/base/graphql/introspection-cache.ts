/**
 * Answers about the schema, which is the same for everybody as long as the process lives. Anyone may ask, and executing what
 * tools ask takes 9 ms of a processor. Documents have been parsed, validated and held to their limits before they come here.
 */
import type { ApolloServerPlugin, GraphQLResponse } from '@apollo/server';
import { Kind, OperationTypeNode, type FragmentDefinitionNode, type OperationDefinitionNode, type SelectionSetNode } from 'graphql';

/** Tools have a handful of documents among them. */
const ANSWERS_MAX = 16;
/** A document and its variables; what is longer is executed. */
const KEY_LENGTH_MAX = 16_384;
/** As JSON; the schema of this API takes a tenth of it, but it can be asked for in itself. */
const ANSWER_LENGTH_MAX = 1 << 20;
const FIELDS: readonly string[] = ['__schema', '__type', '__typename'];

type Result = Extract<GraphQLResponse['body'], { kind: 'single' }>['singleResult'];

export function introspectionCache(): ApolloServerPlugin {
  /** The one that was asked for last comes last. */
  const answers = new Map<string, Result>();
  const keep = (key: string, answer: Result): void => {
    answers.delete(key);
    answers.set(key, answer);
    const oldest = answers.keys().next();
    if (answers.size > ANSWERS_MAX && !oldest.done) answers.delete(oldest.value);
  };
  return {
    requestDidStart: () => {
      let missing: string | null = null;
      return Promise.resolve({
        responseForOperation: ({ request, document, operation, source, response }) => {
          const key = JSON.stringify([source, request.operationName, request.variables]);
          const fragments = document.definitions.filter((one) => one.kind === Kind.FRAGMENT_DEFINITION);
          if (key.length > KEY_LENGTH_MAX || !isAboutSchema(operation, fragments)) return Promise.resolve(null);
          const known = answers.get(key);
          if (!known) missing = key;
          else keep(key, known);
          return Promise.resolve(known ? { ...response, body: { kind: 'single' as const, singleResult: { ...known } } } : null);
        },
        willSendResponse: ({ response: { body } }) => {
          if (missing !== null && body.kind === 'single' && isWorthKeeping(body.singleResult)) keep(missing, { ...body.singleResult });
          return Promise.resolve();
        },
      });
    },
  };
}

const isWorthKeeping = (answer: Result): boolean => !answer.errors && JSON.stringify(answer).length <= ANSWER_LENGTH_MAX;

/** Whether nothing but the schema is asked for. */
function isAboutSchema(operation: OperationDefinitionNode, fragments: readonly FragmentDefinitionNode[]): boolean {
  const isAbout = ({ selections }: SelectionSetNode): boolean =>
    selections.every((selection) => {
      if (selection.kind === Kind.FIELD) return FIELDS.includes(selection.name.value);
      if (selection.kind === Kind.INLINE_FRAGMENT) return isAbout(selection.selectionSet);
      const fragment = fragments.find(({ name }) => name.value === selection.name.value);
      return fragment !== undefined && isAbout(fragment.selectionSet);
    });
  return operation.operation === OperationTypeNode.QUERY && isAbout(operation.selectionSet);
}
