"""What we remember: tables, relationships, constraints. Every model is listed here, so that migrations see it."""

from api.models.base import Base as Base
from api.models.budgets import Budget as Budget  # option: example
from api.models.transactions import Transaction as Transaction  # option: example
from api.models.users import Login as Login  # option: auth
from api.models.users import LoginAttempt as LoginAttempt  # option: auth
from api.models.users import User as User  # option: auth
