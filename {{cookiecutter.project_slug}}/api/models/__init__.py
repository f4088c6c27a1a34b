"""Database table definitions that map Python classes to tables, with their relationships and constraints.

Every model is imported here: `Base.metadata` then knows its table, which Alembic compares with the database.
"""

from api.models.base import Base as Base
from api.models.budgets import Budget as Budget  # option: example
from api.models.transactions import Transaction as Transaction  # option: example
from api.models.users import LoginAttempt as LoginAttempt  # option: auth
from api.models.users import RefreshSession as RefreshSession  # option: auth
from api.models.users import User as User  # option: auth
