SET search_path TO orders;
WITH daily AS (SELECT 1) DELETE FROM daily;
