/** Parameters of tools for templates that know one type of each, as Gemma 4's. */
import type { Tool } from './conversation.js';

/** With one type in each schema, which is all that such templates and their models know, and `nullable` beside it. */
export const singleTyped = (tools: readonly Tool[]): Tool[] => tools.map((tool) => ({ ...tool, ...(tool.parameters && { parameters: new SingleTypes(tool.parameters).of(tool.parameters) }) }));

type Schema = Readonly<Record<string, unknown>>;

/** What is told of definitions in the places where they are referred to. */
const REFERENCES_MAX = 64;

class SingleTypes {
  private references = 0;
  private readonly definitions: Schema;

  constructor({ $defs }: Schema) {
    this.definitions = isSchema($defs) ? $defs : {};
  }

  /** `within`: the definitions that it is a part of; none is told within itself. */
  of(schema: unknown, within: readonly string[] = []): Schema {
    if (!isSchema(schema)) return { type: '' };
    const { anyOf, oneOf, $ref, ...rest } = schema;
    const name = typeof $ref === 'string' ? $ref.replace('#/$defs/', '') : '';
    const named = this.definitions[name];
    if (isSchema(named) && !within.includes(name) && this.references++ < REFERENCES_MAX) return this.of({ ...named, ...rest }, [...within, name]);
    const choices = [anyOf ?? oneOf ?? []].flat().filter(isSchema);
    const [chosen] = choices.filter((choice) => !isNull(choice));
    if (chosen && rest.type === undefined) return this.of({ ...chosen, ...rest, ...(choices.some(isNull) && { nullable: true }) }, within);
    const types = [rest.type ?? ''].flat();
    return {
      ...rest,
      type: types.find((type) => type !== 'null') ?? 'null',
      ...(types.length > 1 && types.includes('null') && { nullable: true }),
      ...(isSchema(rest.properties) && { properties: Object.fromEntries(Object.entries(rest.properties).map(([key, value]) => [key, this.of(value, within)])) }),
      ...(rest.items !== undefined && { items: this.of(rest.items, within) }),
    };
  }
}

const isNull = ({ type }: Schema): boolean => type === 'null';
const isSchema = (value: unknown): value is Schema => value !== null && typeof value === 'object' && !Array.isArray(value);
