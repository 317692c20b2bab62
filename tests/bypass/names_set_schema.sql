SET SCHEMA 'orders'; DELETE FROM daily;
