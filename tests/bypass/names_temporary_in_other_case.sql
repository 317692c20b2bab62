SET search_path TO orders; CREATE TEMP TABLE "Daily" (n int); DELETE FROM daily;
