/** Tools as `POST /v1/messages` has them. */
import { toolNameSchema, TOOLS_MAX } from '@aril/contracts';
import { z } from 'zod';
import { refuseType } from '../openai-error.js';
import { optional } from '../optional.js';
import { functionSchema, type ToolOffer } from '../tools/offered-tools.js';

const { name, description, strict, parameters } = functionSchema.shape;
const toolSchema = z.object({ name, description, strict, type: optional(z.literal('custom')), input_schema: parameters });

const parallel = { disable_parallel_tool_use: optional(z.boolean()) };

export const messageToolFields = {
  tools: optional(z.array(toolSchema).max(TOOLS_MAX)),
  tool_choice: optional(
    z.discriminatedUnion('type', [
      z.object({ type: z.literal('auto'), ...parallel }),
      z.object({ type: z.literal('any'), ...parallel }),
      z.object({ type: z.literal('tool'), name: toolNameSchema, ...parallel }),
      z.object({ type: z.literal('none') }),
    ]),
  ),
};
type Fields = z.output<z.ZodObject<typeof messageToolFields>>;

export function messageToolOffer({ tools = [], tool_choice: choice = { type: 'auto' } }: Fields): ToolOffer {
  const offered = tools.map(({ type: _custom, input_schema: schema, strict: isStrict = false, ...tool }, index) => ({
    ...{ ...tool, parameters: schema, strict: isStrict },
    ...{ param: `tools[${index}]`, schemaParam: `tools[${index}].input_schema` },
  }));
  const isParallel = choice.type === 'none' || choice.disable_parallel_tool_use !== true;
  return { tools: offered, choice: choiceOf(choice), parallel: isParallel };
}

function choiceOf(choice: NonNullable<Fields['tool_choice']>): ToolOffer['choice'] {
  if (choice.type === 'tool') return { duty: 'function', names: [[choice.name, 'tool_choice.name']] };
  return choice.type === 'any' ? 'required' : choice.type;
}

/** Those that Anthropic runs itself, and those whose form its models were taught, are others. */
export function checkMessageTools(tools: unknown): void {
  if (!Array.isArray(tools)) return;
  tools.forEach((one: unknown, index) => refuseType(one, `tools[${index}]`, 'custom tools', (type) => type === 'custom'));
}
