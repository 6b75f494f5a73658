/** Ready-to-run calls of one target through the OpenAI-compatible endpoint. */
export interface Snippet {
  language: string;
  label: string;
  code: string;
}

interface Call {
  target: string;
  baseUrl: string;
  user: string | undefined;
}

/** What stands in for the secret; it is shown once only and never kept by the portal. */
const KEY_VARIABLE = 'ARIL_API_KEY';

/** A line of the call, where there is a user to tell. */
const line = (user: string | undefined, text: (user: string) => string): string => (user ? `\n${text(user)}` : '');

const curl = ({ target, baseUrl, user }: Call): string => `curl ${baseUrl}/chat/completions \\
  -H "Authorization: Bearer $${KEY_VARIABLE}" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "${target}",${line(user, (id) => `    "user": "${id}",`)}
    "messages": [{ "role": "user", "content": "Hello!" }],
    "stream": true
  }'`;

const javascript = ({ target, baseUrl, user }: Call): string => `import OpenAI from 'openai';

const aril = new OpenAI({
  baseURL: '${baseUrl}',
  apiKey: process.env.${KEY_VARIABLE},
});

const stream = await aril.chat.completions.create({
  model: '${target}',${line(user, (id) => `  user: '${id}',`)}
  messages: [{ role: 'user', content: 'Hello!' }],
  stream: true,
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? '');
}`;

const python = ({ target, baseUrl, user }: Call): string => `import os
from openai import OpenAI

aril = OpenAI(base_url="${baseUrl}", api_key=os.environ["${KEY_VARIABLE}"])

stream = aril.chat.completions.create(
    model="${target}",${line(user, (id) => `    user="${id}",`)}
    messages=[{"role": "user", "content": "Hello!"}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)`;

export const snippetsFor = (target: string, apiUrl: string, user?: string): Snippet[] => {
  const call = { target, baseUrl: `${apiUrl}/v1`, user };
  return [
    { language: 'bash', label: 'curl', code: curl(call) },
    { language: 'javascript', label: 'JavaScript', code: javascript(call) },
    { language: 'python', label: 'Python', code: python(call) },
  ];
};
