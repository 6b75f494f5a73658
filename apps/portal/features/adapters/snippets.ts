/** Ready-to-run calls of one target through the OpenAI-compatible endpoint. */
export interface Snippet {
  language: string;
  label: string;
  code: string;
}

/** What stands in for the secret; it is shown once only and never kept by the portal. */
const KEY_VARIABLE = 'ARIL_API_KEY';

const curl = (target: string, baseUrl: string): string => `curl ${baseUrl}/chat/completions \\
  -H "Authorization: Bearer $${KEY_VARIABLE}" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "${target}",
    "messages": [{ "role": "user", "content": "Hello!" }],
    "stream": true
  }'`;

const javascript = (target: string, baseUrl: string): string => `import OpenAI from 'openai';

const aril = new OpenAI({
  baseURL: '${baseUrl}',
  apiKey: process.env.${KEY_VARIABLE},
});

const stream = await aril.chat.completions.create({
  model: '${target}',
  messages: [{ role: 'user', content: 'Hello!' }],
  stream: true,
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? '');
}`;

const python = (target: string, baseUrl: string): string => `import os
from openai import OpenAI

aril = OpenAI(base_url="${baseUrl}", api_key=os.environ["${KEY_VARIABLE}"])

stream = aril.chat.completions.create(
    model="${target}",
    messages=[{"role": "user", "content": "Hello!"}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)`;

export const snippetsFor = (target: string, apiUrl: string): Snippet[] => {
  const baseUrl = `${apiUrl}/v1`;
  return [
    { language: 'bash', label: 'curl', code: curl(target, baseUrl) },
    { language: 'javascript', label: 'JavaScript', code: javascript(target, baseUrl) },
    { language: 'python', label: 'Python', code: python(target, baseUrl) },
  ];
};
