ALTER TABLE facts DROP PARTITION {slot:DateTime('UTC')}
