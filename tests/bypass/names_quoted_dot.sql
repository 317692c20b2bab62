SET search_path TO orders; DELETE FROM "daily";
