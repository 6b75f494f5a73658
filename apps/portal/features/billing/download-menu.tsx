'use client';
import { Button, Menu } from '@mantine/core';
import { IconDownload, IconFileTypeCsv, IconFileTypePdf, IconJson } from '@tabler/icons-react';

const FORMATS = [
  { extension: 'pdf', label: 'PDF', icon: IconFileTypePdf },
  { extension: 'csv', label: 'CSV', icon: IconFileTypeCsv },
  { extension: 'json', label: 'JSON', icon: IconJson },
];

/** A statement as a file, from the API's own door for downloads. `of` says in the accessible name which one. */
export const DownloadMenu = ({ id, of, compact = false }: { id: string; of: string; compact?: boolean }) => (
  <Menu position="bottom-end" withinPortal>
    <Menu.Target>
      <Button
        variant={compact ? 'subtle' : 'default'}
        size={compact ? 'compact-sm' : undefined}
        leftSection={<IconDownload size={16} aria-hidden />}
        aria-label={`Download ${of}`}
      >
        Download
      </Button>
    </Menu.Target>
    <Menu.Dropdown>
      {FORMATS.map(({ extension, label, icon: Icon }) => (
        <Menu.Item
          key={extension}
          component="a"
          href={`/api/statements/${id}.${extension}`}
          download
          leftSection={<Icon size={16} aria-hidden />}
        >
          {label}
        </Menu.Item>
      ))}
    </Menu.Dropdown>
  </Menu>
);
