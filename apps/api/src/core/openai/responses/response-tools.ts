/** Tools as `POST /v1/responses` has them: flat, where chats have them nested. */
import { TOOLS_MAX, toolNameSchema } from '@aril/contracts';
import { z } from 'zod';
import { optional } from '../optional.js';
import { functionSchema, TOOL_CHOICE, type ToolOffer } from '../tools/offered-tools.js';

const byName = z.object({ type: z.literal('function'), name: toolNameSchema });
const allowedTools = z.object({
  type: z.literal('allowed_tools'),
  mode: z.enum(['auto', 'required']),
  tools: z.array(byName).min(1).max(TOOLS_MAX),
});

export const responseToolFields = {
  tools: optional(z.array(functionSchema.extend({ type: z.literal('function') })).max(TOOLS_MAX)),
  tool_choice: optional(z.union([z.enum(['none', 'auto', 'required']), byName, allowedTools], TOOL_CHOICE)),
  parallel_tool_calls: optional(z.boolean()),
};
type Fields = z.output<z.ZodObject<typeof responseToolFields>>;

export function responseToolOffer({ tools = [], tool_choice: choice = 'auto', parallel_tool_calls: parallel = true }: Fields): ToolOffer {
  const given = tools.map(({ type: _function, ...tool }, index) => ({
    ...{ ...tool, strict: tool.strict ?? false },
    ...{ param: `tools[${index}]`, schemaParam: `tools[${index}].parameters` },
  }));
  if (typeof choice === 'string') return { tools: given, choice, parallel };
  if (choice.type === 'function') return { tools: given, choice: { duty: 'function', names: [[choice.name, 'tool_choice.name']] }, parallel };
  const names = choice.tools.map(({ name }, index) => [name, `tool_choice.tools[${index}].name`] as const);
  return { tools: given, choice: { duty: choice.mode, names }, parallel };
}
