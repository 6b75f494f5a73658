import { Group, Stack, Text } from '@mantine/core';
import { IconCircleCheckFilled, IconCircleDashed } from '@tabler/icons-react';
import { useManages } from '@/features/session/use-manages';
import { Section } from '@/ui/section';
import { TextLink } from '@/ui/text-link';

interface Step {
  title: string;
  detail: string;
  href: string;
  done: boolean;
}

const StepRow = ({ title, detail, href, done }: Step) => (
  <Group component="li" wrap="nowrap" align="flex-start" gap="sm">
    {done ? (
      <IconCircleCheckFilled
        size={20}
        color="var(--mantine-color-leaf-6)"
        aria-label="Done"
        style={{ flexShrink: 0 }}
      />
    ) : (
      <IconCircleDashed
        size={20}
        color="var(--mantine-color-dimmed)"
        aria-label="To do"
        style={{ flexShrink: 0 }}
      />
    )}
    <div>
      <TextLink href={href} size="sm" fw={600}>
        {title}
      </TextLink>
      <Text size="sm" c="dimmed">
        {detail}
      </Text>
    </div>
  </Group>
);

/** The way to the first answer in production; gone once it has been walked. */
export const GettingStarted = ({
  hasAdapter,
  hasUsage,
  hasKey,
}: {
  hasAdapter: boolean;
  hasUsage: boolean;
  hasKey: boolean;
}) => {
  const manages = useManages();
  if (hasAdapter && hasUsage && hasKey) return null;
  return (
    <Section title="Getting started">
      <Stack component="ol" gap="md" m={0} p={0} style={{ listStyle: 'none' }}>
        <StepRow
          title="Upload an adapter"
          detail="The two files PEFT saves."
          href="/adapters"
          done={hasAdapter}
        />
        <StepRow
          title="Try it in the playground"
          detail="Answers stream from it at once."
          href="/playground"
          done={hasUsage}
        />
        <StepRow
          title={manages ? 'Create an API key' : 'Ask an owner or an admin for an API key'}
          detail="Then call it with any OpenAI client."
          href="/api-keys"
          done={hasKey}
        />
      </Stack>
    </Section>
  );
};
