import { Box, Skeleton, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './definition-list.module.css';

interface Props {
  items: { term: string; value: ReactNode }[];
  loading?: boolean;
}

export const DefinitionList = ({ items, loading = false }: Props) => (
  <Box component="dl" className={classes.list}>
    {items.map(({ term, value }) => (
      <div key={term} className={classes.row}>
        <Text component="dt" size="sm" c="dimmed">
          {term}
        </Text>
        <Text component="dd" size="sm" m={0} style={{ overflowWrap: 'anywhere' }}>
          {loading ? <Skeleton height={14} width="55%" mt={4} /> : value}
        </Text>
      </div>
    ))}
  </Box>
);
