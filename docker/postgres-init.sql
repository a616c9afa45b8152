-- Five databases, each with a role of its own that cannot open the others.
CREATE ROLE gavel_default LOGIN CREATEDB PASSWORD 'gavel';
CREATE ROLE gavel_inventory LOGIN CREATEDB PASSWORD 'gavel';
CREATE ROLE gavel_orders LOGIN CREATEDB PASSWORD 'gavel';
CREATE ROLE gavel_notifications LOGIN CREATEDB PASSWORD 'gavel';
CREATE ROLE gavel_sagas LOGIN CREATEDB PASSWORD 'gavel';
CREATE DATABASE gavel_default OWNER gavel_default;
CREATE DATABASE gavel_inventory OWNER gavel_inventory;
CREATE DATABASE gavel_orders OWNER gavel_orders;
CREATE DATABASE gavel_notifications OWNER gavel_notifications;
CREATE DATABASE gavel_sagas OWNER gavel_sagas;
REVOKE CONNECT ON DATABASE gavel_default FROM PUBLIC;
REVOKE CONNECT ON DATABASE gavel_inventory FROM PUBLIC;
REVOKE CONNECT ON DATABASE gavel_orders FROM PUBLIC;
REVOKE CONNECT ON DATABASE gavel_notifications FROM PUBLIC;
REVOKE CONNECT ON DATABASE gavel_sagas FROM PUBLIC;
