DROP TABLE IF EXISTS {scratch:Identifier} SYNC
