ALTER TABLE {history:Identifier} DROP PARTITION ID {partition:String}
