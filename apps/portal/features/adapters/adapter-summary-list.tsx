import type { AdapterDetailFieldsFragment } from '@/lib/api/generated/graphql';
import { formatPricePerMillion } from '@/lib/format/money';
import { formatBytes, formatCompact } from '@/lib/format/quantity';
import { formatDateTime, formatRelative } from '@/lib/format/time';
import { DefinitionList } from '@/ui/definition-list';
import { Section } from '@/ui/section';
import { formatRank, formatTargets } from './adapter-facts';
import { AdapterOrigin } from './adapter-origin';

const price = ({ baseModel }: AdapterDetailFieldsFragment): string =>
  `${formatPricePerMillion(baseModel.promptNanoUsdPerToken)} in, ${formatPricePerMillion(baseModel.completionNanoUsdPerToken)} out, per million tokens`;

/** What the adapter is. The shape of its training is known once it has been checked. */
export const AdapterSummaryList = ({ adapter }: { adapter: AdapterDetailFieldsFragment }) => {
  const { summary } = adapter;
  const shape = summary
    ? [
        { term: 'Rank', value: formatRank(summary) + (summary.rslora ? ' (rsLoRA)' : '') },
        { term: 'Targets', value: formatTargets(summary.targetModules) },
        { term: 'Layers', value: summary.layers },
        { term: 'Parameters', value: formatCompact(summary.parameters) },
        { term: 'Precision', value: summary.dtype },
        { term: 'Memory when in use', value: formatBytes(summary.residentBytes) },
      ]
    : [];
  return (
    <Section title="Summary">
      <DefinitionList
        items={[
          { term: 'Name', value: adapter.name },
          { term: 'Base model', value: `${adapter.baseModel.name} (${adapter.baseModel.license})` },
          ...(adapter.source
            ? [{ term: 'Imported from', value: <AdapterOrigin source={adapter.source} /> }]
            : []),
          ...shape,
          { term: 'Context', value: `${adapter.baseModel.contextTokens.toLocaleString('en-US')} tokens` },
          { term: 'Price', value: price(adapter) },
          { term: 'Created', value: formatDateTime(adapter.createdAt) },
          { term: 'Last used', value: adapter.lastUsedAt ? formatRelative(adapter.lastUsedAt) : 'never' },
        ]}
      />
    </Section>
  );
};
