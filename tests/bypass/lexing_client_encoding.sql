SET client_encoding TO 'SJIS'; SELECT 1;
