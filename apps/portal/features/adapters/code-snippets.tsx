'use client';
import { Tabs, Text } from '@mantine/core';
import { usePublicApiUrl } from '@/lib/api/public-api-url';
import { CodeBlock } from '@/ui/code-block';
import { TextLink } from '@/ui/text-link';
import { snippetsFor } from './snippets';

/** `user`: an example of the id of whom the answer is for, where that matters. */
export const CodeSnippets = ({ target, user }: { target: string; user?: string }) => {
  const snippets = snippetsFor(target, usePublicApiUrl(), user);
  return (
    <>
      <Tabs defaultValue={snippets[0]?.label ?? null}>
        <Tabs.List mb="sm" aria-label="Language">
          {snippets.map(({ label }) => (
            <Tabs.Tab key={label} value={label}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {snippets.map(({ label, code }) => (
          <Tabs.Panel key={label} value={label}>
            <CodeBlock code={code} what={`${label} example`} />
          </Tabs.Panel>
        ))}
      </Tabs>
      <Text size="sm" c="dimmed" mt="sm">
        Any OpenAI client works. Put a key from <TextLink href="/api-keys">API keys</TextLink> into
        ARIL_API_KEY.
      </Text>
    </>
  );
};
