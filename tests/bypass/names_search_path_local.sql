BEGIN; SET LOCAL search_path TO orders; DELETE FROM daily; COMMIT;
